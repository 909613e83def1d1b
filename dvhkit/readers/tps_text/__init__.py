"""DVHs that planning systems export as text: one file a dialect, and `read` that knows which it is."""
