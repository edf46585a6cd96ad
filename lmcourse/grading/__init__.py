"""Assignments: how they are released, checked by the learner and graded by the instructor.

Chapter: book/instructors/index.md

A folder imports only from those above it; those of one line are at one height.

    errors, outcomes, safe_text
                           refusals of a command; what a test comes to; harmless text of others
    withholding            what an assignment withholds, of this package and of torch
    sandbox                a process that can do no harm; knows nothing of notebooks
    bridge                 tests, hidden ones too, on one side; the learner's objects on the other
    assignment             what was set and what was handed in, as data; runs nothing
    repair                 the learner's cells, put back under the author's plan
    execution              one submission: cells in, an outcome for each test out
    gradebook, learner     what is kept of a class; `lmcourse check` on the learner's machine
    reports                what people read: class table, feedback, lists, similarity
    lateness               who is late, by how many days, and what the course's rule takes off
    batch, formgrader, nbgrader_steps
                           a whole class; nbgrader's screen, made safe; plain `nbgrader autograde`
    cli                    the commands, and what they print
    config, testing        doors: for nbgrader_config.py, and for the test cells of assignments

The way of a submission:

    1.  `cli.grading_commands.grade`        reads the options
    2.  `batch.grade.prepare`               finds course, author's notebook, secret; locks
    3.  `assignment.handed_in`              reads what was handed in; `batch.workers` shares it out
    4.  `repair.under_plan`                 puts the cells under the author's plan
    5.  `execution.submission`              runs them, with the sandbox or (`unprotected`) without
    6.  `execution.warm_servers`            keeps two processes warm: learner's side and judge's
    7.  `execution.sandboxed`               gives each cell to one of them, and watches the time
        `execution.carried_forward`         tests on the author's version what fails by another
    8.  `bridge.judge`, `bridge.learner_side` run test and answer, over `bridge.proxies`
    9.  `outcomes`, `execution.explanations` passed, failed or ungraded; what the learner is told
    10. `gradebook.recorder`, `reports`     write gradebook, feedback and the table of the class

A *learner* is the person, and whatever runs or was written for them. A *student* is the name under
which nbgrader, its gradebook, the folders and the tables know them (`student_id`, `<student>/`).
"""
