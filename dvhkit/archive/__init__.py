"""Many cases: what there is to do, done side by side, kept, compared, asked."""
