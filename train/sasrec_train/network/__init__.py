"""The network: layers and the SASRec model, in Keras 3."""
