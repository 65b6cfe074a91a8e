"""What was said in a call, from packets on disk to a WAV file. Reading order:

``spool`` (raw packets as they arrive), ``wav`` (A-law files), ``timeline`` (packets to samples on a clock), ``render``
(a spool to a two-channel WAV; ``keys`` takes digits out), ``store`` (where finished recordings are kept; ``s3``,
``multipart``).
"""
