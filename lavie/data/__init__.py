"""Captioned clips and stills for training, all behind one interface (`lavie.data.sources`).

Nothing is imported here, so that the page can read the world's words without waiting for torch.
"""
