"""Numbers in kernels: exponentials, vectors, scaled numbers, arithmetic between scores."""
