"""temporary"""
from onestream_track.config import *
import dataclasses
class R:
    def __init__(s,m): s.model=m
CE=EliminationConfig((3,6,9),(.7,.7,.7))
big=dict(template_size=192,search_size=384,search_factor=5.0)
def get_recipe(n):
    return R({"vitb_256_mae_ce_32x4_ep300":ModelConfig(elimination=CE),"vitb_256_mae_32x4_ep300":ModelConfig(),"vitb_384_mae_ce_32x4_ep300":ModelConfig(elimination=CE,**big),"vitb_384_mae_32x4_ep300":ModelConfig(**big),"droptrack_vitb_384_mae_ce_32x4_ep300":ModelConfig(elimination=CE,frame_identity=True,**big)}[n])
