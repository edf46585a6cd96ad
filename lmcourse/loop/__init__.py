"""What `lmcourse.training` is built on: nobody else needs to open it.

Chapter: book/training.md

A module imports only from those that stand before it in this list:

    distributed      several processes that train one model
    sharding         a model of which each process holds a part
    reproducible     random numbers of each step, and none of the caller's
    interrupts       Ctrl-C waits for the end of a step
    batching         which examples a step sees
    gradient_step    from a batch to a gradient and new weights
    training_config  how many steps, how long each, what is kept
    shards           a save in parts, written while the training goes on
    run_folder       what a training leaves behind
    event_log        the same for TensorBoard
"""
