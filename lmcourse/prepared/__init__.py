"""Texts of any length as files of ids: prepared once, then read a batch at a time.

Chapter: book/data.md

A module imports only from those that stand before it in this list:

    id_files  ids in files that are mapped, not read; a folder of them
    pieces    a text of any length in pieces, from any place on
    encoding  from a piece to ids, by several processes
    output    how far it has come, and the files in step with it
    prepare   all of it: what `lmcourse data prepare` does
"""
