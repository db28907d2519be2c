"""One interface over the engines that run a variant: onnxruntime and LiteRT."""
