"""The configuration: one frozen typed tree, read once at start, handed out by section. No global. In reading order:

``forms``      how single values are read
``trunk``      a carrier's table
``sip``        the section [sip]
``phones``     the section [phones]
``tree``       the other sections, their keys and defaults, and the addresses that follow from them
``profiles``   what trunks of one kind have in common
``reading``    file and environment, every fault at once with its key's path
``checking``   what each key alone doesn't show
``printing``   the effective configuration without secrets
"""
