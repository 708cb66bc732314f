"""A volume in, boot entries out. One module per format."""
