"""What the three trainings share (segmenter, fine-tuning, the miniature CLIP): optimiser, schedule
of the learning rate, curves.

Comes in: parameters in groups, steps, losses. Goes out: an AdamW, its learning rate at every step,
dvclive's files. Batches and checkpoints are core's (core/sampler.py, core/resume.py); what is
trained, and on which loss, is each room's own.
"""
