"""What every room stands on: errors, records and shards, fingerprints, stages, progress.

Comes in: paths, records, functions to run. Goes out: files that are whole or absent, shards that a
killed run goes on from, one message for a mistake of the user. Imports no other room.
"""
