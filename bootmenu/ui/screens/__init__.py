"""The screens of the menu."""
