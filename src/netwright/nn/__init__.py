"""The torch side: networks from graphs, data, training."""
