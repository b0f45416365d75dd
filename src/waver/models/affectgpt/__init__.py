"""AffectGPT (Lian et al., ICML 2025), from its published parts."""
