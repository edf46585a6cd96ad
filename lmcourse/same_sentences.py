"""The same two dozen sentences in six languages: what they say cannot tell the languages apart.

Chapter: book/data.md
"""

LANGUAGES = ("English", "German", "Dutch", "French", "Spanish", "Portuguese")

_SENTENCES = """
The train leaves the station at eight o'clock in the morning.
Der Zug verlässt den Bahnhof um acht Uhr morgens.
De trein vertrekt om acht uur 's ochtends van het station.
Le train quitte la gare à huit heures du matin.
El tren sale de la estación a las ocho de la mañana.
O trem sai da estação às oito horas da manhã.

My grandmother bakes bread every Saturday, and the whole house smells of it.
Meine Großmutter backt jeden Samstag Brot, und das ganze Haus riecht danach.
Mijn grootmoeder bakt elke zaterdag brood, en het hele huis ruikt ernaar.
Ma grand-mère fait du pain tous les samedis, et toute la maison en sent l'odeur.
Mi abuela hornea pan todos los sábados, y toda la casa huele a él.
Minha avó assa pão todos os sábados, e a casa inteira fica com o cheiro dele.

It has been raining for three days, and the river is rising.
Es regnet seit drei Tagen, und der Fluss steigt.
Het regent al drie dagen, en de rivier stijgt.
Il pleut depuis trois jours, et la rivière monte.
Llueve desde hace tres días, y el río está subiendo.
Chove há três dias, e o rio está subindo.

Where did you put the keys of the car?
Wo hast du die Schlüssel des Autos hingelegt?
Waar heb je de sleutels van de auto neergelegd?
Où as-tu mis les clés de la voiture ?
¿Dónde pusiste las llaves del coche?
Onde você colocou as chaves do carro?

Nobody believed the child who had seen the fox in the garden.
Niemand glaubte dem Kind, das den Fuchs im Garten gesehen hatte.
Niemand geloofde het kind dat de vos in de tuin had gezien.
Personne ne croyait l'enfant qui avait vu le renard dans le jardin.
Nadie creía al niño que había visto el zorro en el jardín.
Ninguém acreditava na criança que tinha visto a raposa no jardim.

The doctor told him to drink more water and to sleep longer.
Die Ärztin sagte ihm, er solle mehr Wasser trinken und länger schlafen.
De dokter zei hem dat hij meer water moest drinken en langer moest slapen.
Le médecin lui a dit de boire plus d'eau et de dormir plus longtemps.
El médico le dijo que bebiera más agua y durmiera más tiempo.
O médico disse a ele que bebesse mais água e dormisse mais.

We would like to buy two tickets for the concert on Friday.
Wir möchten zwei Karten für das Konzert am Freitag kaufen.
Wij willen graag twee kaartjes kopen voor het concert op vrijdag.
Nous voudrions acheter deux billets pour le concert de vendredi.
Quisiéramos comprar dos entradas para el concierto del viernes.
Gostaríamos de comprar dois ingressos para o concerto de sexta-feira.

A good book is a friend that never leaves you alone.
Ein gutes Buch ist ein Freund, der dich nie allein lässt.
Een goed boek is een vriend die je nooit alleen laat.
Un bon livre est un ami qui ne te laisse jamais seul.
Un buen libro es un amigo que nunca te deja solo.
Um bom livro é um amigo que nunca deixa você sozinho.

The cheese costs more than the wine in this shop.
Der Käse kostet in diesem Laden mehr als der Wein.
De kaas kost in deze winkel meer dan de wijn.
Le fromage coûte plus cher que le vin dans ce magasin.
El queso cuesta más que el vino en esta tienda.
O queijo custa mais do que o vinho nesta loja.

She learned to swim when she was already fifty years old.
Sie lernte schwimmen, als sie schon fünfzig Jahre alt war.
Zij leerde zwemmen toen zij al vijftig jaar oud was.
Elle a appris à nager quand elle avait déjà cinquante ans.
Aprendió a nadar cuando ya tenía cincuenta años.
Ela aprendeu a nadar quando já tinha cinquenta anos.

The old bridge was closed because one of its stones had fallen into the water.
Die alte Brücke wurde gesperrt, weil einer ihrer Steine ins Wasser gefallen war.
De oude brug werd gesloten omdat een van haar stenen in het water was gevallen.
Le vieux pont a été fermé parce qu'une de ses pierres était tombée dans l'eau.
El viejo puente fue cerrado porque una de sus piedras había caído al agua.
A velha ponte foi fechada porque uma de suas pedras tinha caído na água.

Please close the window, it is getting cold.
Bitte mach das Fenster zu, es wird kalt.
Doe alsjeblieft het raam dicht, het wordt koud.
Ferme la fenêtre, s'il te plaît, il commence à faire froid.
Cierra la ventana, por favor, está haciendo frío.
Feche a janela, por favor, está ficando frio.

The teacher asked a question that none of us could answer.
Die Lehrerin stellte eine Frage, die keiner von uns beantworten konnte.
De lerares stelde een vraag die niemand van ons kon beantwoorden.
La professeure a posé une question à laquelle aucun de nous ne pouvait répondre.
La profesora hizo una pregunta que ninguno de nosotros pudo responder.
A professora fez uma pergunta que nenhum de nós conseguiu responder.

In winter the sun sets before we come home from work.
Im Winter geht die Sonne unter, bevor wir von der Arbeit nach Hause kommen.
In de winter gaat de zon onder voordat we van het werk thuiskomen.
En hiver, le soleil se couche avant que nous rentrions du travail.
En invierno el sol se pone antes de que volvamos del trabajo.
No inverno o sol se põe antes de voltarmos do trabalho.

He lost his hat in the wind and ran after it across the street.
Er verlor seinen Hut im Wind und lief ihm über die Straße nach.
Hij verloor zijn hoed in de wind en rende er over de straat achteraan.
Il a perdu son chapeau dans le vent et a couru après dans la rue.
Perdió el sombrero con el viento y corrió tras él por la calle.
Ele perdeu o chapéu com o vento e correu atrás dele pela rua.

The letter arrived two weeks late, with a stamp that nobody knew.
Der Brief kam zwei Wochen zu spät an, mit einer Marke, die niemand kannte.
De brief kwam twee weken te laat aan, met een postzegel die niemand kende.
La lettre est arrivée avec deux semaines de retard, avec un timbre que personne ne connaissait.
La carta llegó dos semanas tarde, con un sello que nadie conocía.
A carta chegou com duas semanas de atraso, com um selo que ninguém conhecia.

How much does a kilo of apples cost today?
Wie viel kostet heute ein Kilo Äpfel?
Hoeveel kost een kilo appels vandaag?
Combien coûte un kilo de pommes aujourd'hui ?
¿Cuánto cuesta hoy un kilo de manzanas?
Quanto custa hoje um quilo de maçãs?

The city is building a new library next to the market.
Die Stadt baut eine neue Bibliothek neben dem Markt.
De stad bouwt een nieuwe bibliotheek naast de markt.
La ville construit une nouvelle bibliothèque à côté du marché.
La ciudad construye una nueva biblioteca al lado del mercado.
A cidade está construindo uma nova biblioteca ao lado do mercado.

Our neighbor plays the piano at night, but she plays it well.
Unsere Nachbarin spielt nachts Klavier, aber sie spielt gut.
Onze buurvrouw speelt 's nachts piano, maar zij speelt goed.
Notre voisine joue du piano la nuit, mais elle joue bien.
Nuestra vecina toca el piano por la noche, pero lo toca bien.
Nossa vizinha toca piano à noite, mas toca bem.

If you had called earlier, we would have waited for you.
Wenn du früher angerufen hättest, hätten wir auf dich gewartet.
Als je eerder had gebeld, hadden we op je gewacht.
Si tu avais appelé plus tôt, nous t'aurions attendu.
Si hubieras llamado antes, te habríamos esperado.
Se você tivesse ligado antes, teríamos esperado por você.

The dog sleeps under the table and dreams of the sea.
Der Hund schläft unter dem Tisch und träumt vom Meer.
De hond slaapt onder de tafel en droomt van de zee.
Le chien dort sous la table et rêve de la mer.
El perro duerme debajo de la mesa y sueña con el mar.
O cachorro dorme debaixo da mesa e sonha com o mar.

Many people moved to the coast after the war.
Viele Menschen zogen nach dem Krieg an die Küste.
Veel mensen verhuisden na de oorlog naar de kust.
Beaucoup de gens se sont installés sur la côte après la guerre.
Mucha gente se mudó a la costa después de la guerra.
Muita gente se mudou para o litoral depois da guerra.

This machine counts the words of a text faster than a person can read them.
Diese Maschine zählt die Wörter eines Textes schneller, als ein Mensch sie lesen kann.
Deze machine telt de woorden van een tekst sneller dan een mens ze kan lezen.
Cette machine compte les mots d'un texte plus vite qu'une personne ne peut les lire.
Esta máquina cuenta las palabras de un texto más rápido de lo que una persona puede leerlas.
Esta máquina conta as palavras de um texto mais depressa do que uma pessoa consegue ler.

Tomorrow my sister will show me the house in which she was born.
Morgen zeigt mir meine Schwester das Haus, in dem sie geboren wurde.
Morgen laat mijn zus mij het huis zien waarin zij geboren is.
Demain, ma sœur me montrera la maison où elle est née.
Mañana mi hermana me mostrará la casa en la que nació.
Amanhã minha irmã vai me mostrar a casa em que ela nasceu.
"""


def same_sentences() -> dict[str, list[str]]:
    """The sentences of each language; those in the same place say the same."""
    blocks = [block.split("\n") for block in _SENTENCES.strip().split("\n\n")]
    columns = zip(*blocks, strict=True)
    return {name: list(column) for name, column in zip(LANGUAGES, columns, strict=True)}
