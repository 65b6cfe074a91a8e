"""The audio side of Maskline: never sees SIP or SDP, imports nothing of ``gateway``. In reading order:

``control``                          the commands and reports that signalling and worker exchange
``rtp`` ``g711`` ``telephone_event`` ``tones``   what packets and sound files hold
``ports`` ``latch`` ``receiver`` ``sender`` ``player`` ``rtcp``   one concern of a stream each
``session`` ``outputs`` ``room``       two legs of a call; what a driver is told to do; all calls of a worker (pure)
``worker``                           [IO] the epoll loop of a worker process
``browser`` ``webrtc`` ``edge``         what the edge for browsers is told; [IO] its legs; [IO] its process
``recording``                        from raw packets to a two-channel WAV
``sounds``                           the tones that ship
"""
