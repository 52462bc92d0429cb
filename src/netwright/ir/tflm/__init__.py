"""The memory that TensorFlow Lite Micro needs for a network, from the graph alone."""
