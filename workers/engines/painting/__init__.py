"""The painting pipeline of the kinds paint, blend and upscale."""
