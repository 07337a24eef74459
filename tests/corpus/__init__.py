"""What Wherry makes of manifests that other people wrote: `python -m tests.corpus FOLDER`.

The official JSON Schemas are the oracle, document by document; and faults put into sound documents have to be found
at the line where they were put.
"""
