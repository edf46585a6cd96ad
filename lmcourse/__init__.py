"""The implementations behind the course *How language models work*.

A module imports only from those that stand before it in this list:

    files         whole files or none (standard library only)
    kept_runs     measurements in a file, so that a long comparison goes on
    devices       where tensors live
    modes         a model in training or not, for a while
    neurons       a neuron, layers of them, softmax, cross-entropy, the training loop
    clusters      k-means, and how pure its groups are
    task_map      the tasks of understanding and generation, an example of each
    byte_pairs    words of a text; merges of neighbors, learned and applied
    tokenizers    text to ids and back: characters, words, byte pairs
    corpora       generated texts
    text_windows  windows of ids: at random, or all in order
    documents     texts with source and license, and parts that cannot leak
    duplicates    copies and near copies, found without comparing all pairs
    quality       rules that object to a text, and say why
    languages     which language is a text in?
    same_sentences  two dozen sentences in six languages
    packing       documents of all lengths in rows of one length
    prepared      texts of any length as files of ids, prepared once and mapped
    data          real data sets, splits, batches, padding
    metrics       what a number about a model means
    plots         figures that carry their own description; text as chips and in color

    ngrams             the next id from counts; bags of words
    word_lists         questions to word vectors, written down before any were trained
    co_occurrence      which words stand near which, and vectors from these counts alone
    negative_sampling  words that stand together, told from words drawn at random
    embeddings         a table to look vectors up in, how it is trained on raw text, and its answers
    beside_gensim      skip-gram beside gensim's: time, loss, what the words know
    association        what words are associated with in a text
    village            sentences of which it is known what vectors can learn from them
    recurrent          RNN, LSTM and GRU: cells, layers, a language model, a classifier
    fast_lstm          the LSTM with its gradient written out
    attention          scaled dot-product, additive and multi-head attention
    recall             facts to look up, and who finds them
    positions          sinusoids, learned vectors, rotations, ALiBi
    last_note          which note came last? kinds of positions on longer and longer streams

    seq2seq              an encoder and a decoder of GRUs, with attention or one vector between
    efficient_attention  attention in blocks and windows, grouped queries, caches, the fused kernel
    transformer          encoder, decoder, both together
    backwards            words to write backwards, and who learns it how soon
    gpt                  the language model, with the blocks of GPT-2 and of Llama
    bert                 the encoder that fills in what is masked, as BERT or RoBERTa
    missing_verb         a blank whose word needs both sides, and who fills it in
    both_sides           an encoder and a GPT side by side: blanks, words that are no mask, writing
    who_helped_whom      the same words in another order, and vectors that can tell
    experts              many feed-forward networks, of which each token uses a few
    published_code       faults of programs in print, and the checks that find them

    optimization          SGD, Adam, AdamW, Muon, schedules, clipping
    layer_sizes           how large activations and gradients are, layer by layer
    many_sizes            models of many sizes on texts of many lengths, of a known source
    scaling_laws          how the loss falls with size and text: a law and its fit
    cluster_plan          a training on many processors, on paper
    first_letter          which letter was the first? how long a network can learn to remember
    random_facts          facts to learn by heart, and what experts are good for
    checkpoints           weights in files that hold no code
    loop                  what training is built on: batches, gradients, folders, processes, Ctrl-C
    training              one loop for every model
    counting              counted tables beside trained networks on Shakespeare
    generation            from logits to text
    quantization          weights in eight or four bits
    finetuning            a new head, low-rank changes, and what is trained of a model
    alignment             a chat template, a loss on answers, rewards from preferences, DPO, GRPO
    learning_to_write     an LSTM and a plain network that learn to write, beside counted tables
    dates                 dates as people write them, as computers sort them, and who translates
    transformers_weights  weights that transformers saved, in our models
    pretrained            a language model in a folder
    live_figures          figures that one can touch
    quiz                  questions to check oneself with

    evaluation    how a model is examined, how far a number can be trusted
    applications  classification, translation and writing, each with a baseline that is offline
    known_world   facts that are all known, and judges of answers
    habits        what a translator says of words whose company was always the same
    few_labels    reviews in made-up words, read without labels and then with a few
    label_runs    what these labels are worth, over several languages
    real_labels   the same question, with sentences that people wrote
    carried_sums       sums that writers get wrong, and a chat model that answers and is rewarded
    preferred_replies  replies in pairs: a reward model, DPO, imitating the winners
    over_refusals      what is refused that only sounds harmful
    alignment_runs     all of these, over several seeds

    grading   assignments: release, check, grade (the only part that knows nbgrader)
    commands  what `lmcourse doctor`, `data`, `train`, `write` and `reproduce` do
    __main__  the command `lmcourse`

Chapters stand under the same names in `book/`. `GPT`, `train` and `generate` can be imported from
here as well.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

# What most programs begin with; the package itself must cost nothing to import.
_HOME = {"GPT": "lmcourse.gpt", "train": "lmcourse.training", "generate": "lmcourse.generation"}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
