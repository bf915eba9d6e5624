"""Video of solid objects: textured, articulated and deforming bodies in places with ground, walls and sky.

A :class:`~trackdata.synth.world.worlds.World` holds every parameter; ``directing`` draws one at random, ``filming``
renders its frames, and ``worlds.object_masks`` says which pixels each annotated object has. Rendering is done by
OpenCV and NumPy: polygons are filled in the order of their distance, and texture is looked up with perspective.
"""
