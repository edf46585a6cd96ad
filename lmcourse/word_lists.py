"""Questions to word vectors, written down before the first vectors were trained.

Chapter: book/embeddings.md

Chosen by what the words mean and by how often they occur, never by what a model says about them: a
list that was mended after a look at the answers measures nothing any more. The `DOC_` lists are for
`lmcourse.data.pydoc_text()`, the `CAPTION_` lists for the English captions of multi30k.
"""

# A word, another one of its class, one of another class: the first two should be closer.
DOC_TRIPLES = (
    ("list", "tuple", "exception"),
    ("int", "float", "module"),
    ("integer", "decimal", "namespace"),
    ("try", "finally", "string"),
    ("raise", "raised", "digits"),
    ("break", "continue", "dictionary"),
    ("global", "nonlocal", "character"),
    ("true", "false", "module"),
    ("module", "package", "tuple"),
    ("uppercase", "lowercase", "exception"),
    ("positional", "keyword", "width"),
    ("string", "bytes", "clause"),
    ("key", "value", "statement"),
    ("left", "right", "method"),
    ("typeerror", "valueerror", "pattern"),
    ("breakpoint", "debugger", "sequence"),
    ("multiplication", "division", "namespace"),
    ("two", "three", "class"),
    ("async", "await", "integer"),
    ("function", "method", "digit"),
)

# As the first word is to the second, so the third is to the fourth.
DOC_ANALOGIES = (
    ("object", "objects", "class", "classes"),
    ("function", "functions", "method", "methods"),
    ("attribute", "attributes", "value", "values"),
    ("list", "lists", "tuple", "tuples"),
    ("integer", "integers", "string", "strings"),
    ("argument", "arguments", "parameter", "parameters"),
    ("key", "keys", "item", "items"),
    ("raise", "raised", "call", "called"),
    ("define", "defined", "use", "used"),
    ("int", "integer", "str", "string"),
    ("dict", "dictionary", "str", "string"),
    ("try", "except", "if", "else"),
)

CAPTION_TRIPLES = (
    ("man", "woman", "street"),
    ("boy", "girl", "building"),
    ("dog", "horse", "shirt"),
    ("red", "blue", "running"),
    ("shirt", "jacket", "dog"),
    ("pants", "jeans", "crowd"),
    ("hat", "helmet", "talking"),
    ("sitting", "standing", "shirt"),
    ("walking", "running", "green"),
    ("guitar", "drums", "beach"),
    ("soccer", "football", "kitchen"),
    ("hockey", "basketball", "umbrella"),
    ("bike", "motorcycle", "hat"),
    ("car", "truck", "smiling"),
    ("river", "lake", "jacket"),
    ("street", "sidewalk", "dog"),
    ("two", "three", "wearing"),
    ("child", "baby", "sidewalk"),
    ("table", "chair", "player"),
    ("beer", "coffee", "horse"),
)

CAPTION_ANALOGIES = (
    ("man", "woman", "boy", "girl"),
    ("man", "men", "woman", "women"),
    ("boy", "boys", "girl", "girls"),
    ("man", "men", "boy", "boys"),
    ("male", "female", "man", "woman"),
    ("father", "mother", "man", "woman"),
    ("dog", "dogs", "horse", "horses"),
    ("player", "players", "worker", "workers"),
    ("car", "cars", "bike", "bikes"),
    ("tree", "trees", "mountain", "mountains"),
    ("shirt", "shirts", "hat", "hats"),
    ("sits", "sitting", "stands", "standing"),
    ("jumps", "jumping", "runs", "running"),
    ("plays", "playing", "walks", "walking"),
)

# Do the captions put the first words nearer to the third than to the fourth, and the second the
# other way round? Two lists of people, two lists of what people do and wear.
CAPTION_ASSOCIATION = (
    ("man", "men", "boy", "boys", "guy", "male"),
    ("woman", "women", "girl", "girls", "lady", "female"),
    ("football", "hockey", "skateboard", "guitar", "motorcycle", "construction"),
    ("dress", "pink", "dance", "shopping", "kitchen", "purse"),
)
