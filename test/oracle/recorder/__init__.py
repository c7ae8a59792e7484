"""Records what MLX computes, one module per area of its public functions."""
