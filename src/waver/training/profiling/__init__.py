"""What trained models cost: parameters, operations, seconds."""
