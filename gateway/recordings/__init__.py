"""What becomes of a recording after the call. Reading order: ``keeper`` (the states, and who does what when),
``rendering``, ``uploading``, ``erasing``, ``tables``.
"""
