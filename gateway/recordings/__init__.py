"""What becomes of a recording after the call. Reading order: ``keeper`` (the states, and who does what when),
``part`` (what these have in common), ``rendering``, ``uploading``, ``erasing`` (by ``clock``), ``orphans`` (with
``datakeys``), ``audio`` (reading one back), ``proof`` and ``verifying``, ``holding`` (what people do), ``drawing``,
``tables``.
"""
