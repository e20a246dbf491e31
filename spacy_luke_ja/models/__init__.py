"""Docs in, logits per subword out: the thinc layers around a Hugging Face token classifier."""
