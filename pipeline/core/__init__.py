"""What every room stands on: errors, records and shards, fingerprints, stages, progress.

Comes in: paths, records, functions to run. Goes out: files that are whole or absent, shards from
which a killed run goes on, one line for a mistake of the user. Imports no other room.
"""
