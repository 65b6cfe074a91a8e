"""SMS through X (privatenumber.md section 9). In reading order:

``addressing``   ``text@number`` and ``[From number]`` (pure)
``routing``      who gets it, who is asked, or why nobody gets it (pure)
``forwarder``    [IO] carries that out: look-up, question, MESSAGE, notice
"""
