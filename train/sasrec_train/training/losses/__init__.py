"""The mathematics of the losses, one a file; `loss_registry.LOSSES` names them."""
