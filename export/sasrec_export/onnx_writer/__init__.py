"""The files of an ONNX variant: convert the encoder, put lookup, scoring and top-k around it, save."""
