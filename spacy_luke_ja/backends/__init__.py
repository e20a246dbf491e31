"""The inner model on other runtimes than PyTorch, for prediction alone."""
