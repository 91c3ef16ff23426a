"""Heavy steps in several processes: a group that `accelerate launch` starts, which shares their work.

The loop stays one process. It tells the group which step of which round to make, over a socket to its
first process; all of them run the same function of the run directory and the step, and the first alone
writes there. What is made does not depend on how many they are, but for rounding.

    group.py     the loop's side: starts a group, gives it orders, ends it
    wire.py      messages between the loop and the group's first process
    ranks.py     one of the processes, as a step sees itself: its share, and what all have found
    __main__.py  the group's side
"""
