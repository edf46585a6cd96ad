"""The implementations behind the course *How language models work*.

A module imports only from those that stand before it in this list:

    devices     where tensors live
    neurons     softmax, cross-entropy, look-up of rows
    tokenizers  text to ids and back
    corpora     generated texts
    data        real data sets, splits, batches
    metrics     what a number about a model means
    plots       figures that carry their own description

    recurrent   RNN, LSTM and GRU: cells, layers, a language model, a classifier
    attention   scaled dot-product, additive and multi-head attention
    positions   sinusoids, learned vectors, rotations, ALiBi

    efficient_attention  grouped queries, the fused kernel, the cache of keys and values
    transformer          encoder, decoder, both together
    gpt                  the language model, with the blocks of GPT-2 and of Llama

    optimization  SGD, Adam, AdamW, a schedule, clipping
    checkpoints   weights in files that hold no code
    generation    from logits to text

    grading     assignments: release, check, grade (the only part that knows nbgrader)
    doctor      is this machine ready?
    __main__    the command `lmcourse`

Chapters stand under the same names in `book/`.
"""

__version__ = "0.1.0"
