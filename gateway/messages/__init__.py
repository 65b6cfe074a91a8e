"""SMS through X (privatenumber.md section 9). In reading order:

``counting``     how many parts an operator makes of a text (pure)
``addressing``   ``text@number`` and ``[From number]`` (pure)
``routing``      who gets it, who is asked, or why nobody gets it (pure)
``forwarder``    [IO] carries that out: look-up, question, MESSAGE, notice
"""
