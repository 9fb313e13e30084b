"""The only room that knows TensorFlow, Keras and TensorBoard."""
