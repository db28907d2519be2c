"""How an item table stands in an ONNX graph: one storage format a file."""
