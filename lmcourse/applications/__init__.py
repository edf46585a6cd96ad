"""What models are used for, each with a baseline that needs no network.

Chapter: book/classification.md

A module imports only from those that stand before it in this list:

    classification  which class a text belongs to
    negation        made-up reviews that no bag of words can tell apart
    polarity        real sentences that praise or pan, and a set in which few pan
    translation     a sentence in another language
    few_pairs       how many pairs of sentences a translator needs
    word_by_word    what a dictionary makes of these sentences, and what Chinese ones say
    combinations    words that a translator knows, but has never seen together
    tatoeba         the translator on sentences that people wrote
    shakespeare     a small GPT that learns to write, watched at its work
    spells          a GPT that copies: its heads taken away, its parts exchanged
    moods           sentences whose odds are all known, and models that write them
    choices         how often each rule of choice repeats itself on a model of Shakespeare
"""
