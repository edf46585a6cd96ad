"""What models are used for, each with a baseline that needs no network.

Chapter: book/classification.md
"""
