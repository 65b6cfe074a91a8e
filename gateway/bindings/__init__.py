"""Who reaches whom through an X number. In reading order:

``models`` ``areas``        the values, and what a number's digits say
``decisions`` ``routing``    a call's decision: Connect, Collect, Ask or Reject (pure)
``requests`` ``errors`` ``allocation``   what the API asks for, why it can't be had, which X is chosen (pure)
``rows``                    values to and from rows
``lookup`` ``lists``         [IO] what the call path asks, in one statement; black and white lists
``relations``               [IO] AXYB: a Y for a B
``pool`` ``store_axb`` ``store_ax`` ``store_axe`` ``store_axyb`` ``store``   [IO] the tables
``seeding``                 [IO] what the configuration file gives and takes away
``purge``                   [IO] what has expired is deleted
"""
