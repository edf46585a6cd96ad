"""What the commands of `lmcourse` do: doctor, data prepare, train, sample, export-web, reproduce.

Chapter: book/setup.md

A module imports only from those that stand before it in this list:

    doctor          is this machine ready?
    sample_text     texts that a model in a folder writes
    training_data   a text, or prepared ids, to learn from and to hold out
    train_gpt       a GPT from a text to a folder
    prepare_data    texts of any length as files of ids
    export_web      a model in a folder as files for a browser
    reproduce       results on real data, measured again; results/ holds those of the book
    config_options  the options of a command, from the fields of a config

`lmcourse check` and all that an instructor calls is in `lmcourse.grading`.
"""
