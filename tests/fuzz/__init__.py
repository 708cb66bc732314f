"""Coverage-guided fuzzing of everything that reads what lies on a disk; see ``__main__``."""
