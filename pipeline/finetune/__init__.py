"""Stage `finetune`: adapt CLIP to masked crops (paper, section 3.2 and 3.3).

Comes in: data/pairs and a CLIP. Goes out: a CLIP folder with adapted weights, mask prompts or both,
and the curves of the training.
"""
