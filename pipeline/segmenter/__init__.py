"""MaskFormer with an open-vocabulary class head, built inside detectron2 (paper section 3.1)."""
