"""Frame-wise visual and audio backbones."""
