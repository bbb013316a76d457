"""The runtime: graphs and dense inputs, kernels, and the execution of plans; bound inputs → values and gradients."""
