"""What a real kube-controller-manager did, replayed: `python -m tests.oracles.controllers DIR`.

A mix is a file `<mix>.jsonl` of cases and a module of the same name here, whose `MIX` says which controllers play and
how a state is read. All else (actions, time, what the API refuses, judging) is the same for all.
"""
