"""Further TG-263 primary names of anatomy, and what a common segmentation program calls the same structures.

Names are facts: those of AAPM's report 263 as the public mapping of its list to SNOMED CT by the HL7 project CodeX RT
spells them. No volumes are known of these here, and no codes that nobody looked up.
"""

from __future__ import annotations

# A star stands for the two sides: Atrium* is Atrium, Atrium_L and Atrium_R; an equals sign for the sides alone.
_NAMES = """
A_Aorta_Asc A_Brachiocephls A_Celiac A_Coronary A_Coronary_L A_Coronary_R A_Iliac_Cflx= A_Iliac_Ext= A_Iliac_Int=
A_Iliac= A_LAD A_Mesenteric_I A_Mesenteric_S A_Pulmonary A_Subclavian* A_Vertebral* Acetabulum= Acetabulums AirWay_Dist
AirWay_Prox Anus Appendix Arytenoid* Atrium* BileDuct_Common Bone Bone_Ethmoid Bone_Frontal Bone_Hyoid Bone_Ilium*
Bone_Incus* Bone_Ischium= Bone_Lacrimal* Bone_Mastoid* Bone_Nasal* Bone_Occipital Bone_Palatine* Bone_Parietal*
Bone_Pelvic* Bone_Sphenoid Bone_Temporal* Bone_Zygomatic= Bone_Zygomatics BoneMarrow_Act Bowel_Large BrachialPlexs
Brainstem_Core Brainstem_Surf Breasts Bronchus= Carina Cavernosum Cavity_Nasal Cecum Cerebellum Cerebrum* Cervix
Chestwall Cist_Pontine Clavicle= CN_III* CN_V* CN_VI* CN_VII* CN_VIII* CN_IX* CN_XI* CN_XII* Cochlea Colon_Ascending
Colon_Decending Colon_Transverse Cornea* CribriformPlate Cricoid Cricopharyngeus Diaphragm Ear_External= Ear_Externals
Ear_Internal= Ear_Internals Ear_Middle* Elbow* Esophagus_I Esophagus_M Esophagus_NAdj Esophagus_S Eyes Femur*
Femur_Joint= Femur_Neck* Femur_Shaft= Femurs Fibula* Genitals Glnd_Adrenal* Glnd_Lacrimal* Glnd_Parathyroid
Glnd_Subling= Glnd_Sublings Glnd_Submands Glnd_Thymus Glottis GreatVes_NAdj GrowthPlate= Hardpalate Hemisphere=
Hemispheres Hippocampi Humerus= Hypothalmus Ileum Jejunum Jejunum_Ileum Joint_Elbow* Joint_Glenohum* Joint_Surface
Joint_TM* Kidney_Cortex Kidney_Pelvis= Knee* Laryngl_Pharynx Larynx_SG Lens Lig_Hepatogastrc Lips LN* LN_Ax=
LN_Ax_Apical* LN_Ax_Central= LN_Ax_Centrals LN_Ax_L1= LN_Ax_L2= LN_Ax_L3= LN_Ax_Lateral= LN_Ax_Laterals LN_Ax_Pectoral=
LN_Ax_Pectorals LN_Ax_Subscap= LN_Ax_Subscaps LN_Brachioceph= LN_Brachiocephs LN_Bronchpulm= LN_Bronchpulms
LN_Diaphragmatic LN_Iliac* LN_Iliac_Ext* LN_Iliac_Int* LN_IMN= LN_IMNs LN_Inguinofem* LN_Intercostals LN_Ligamentarter
LN_Mediastinals LN_Neck LN_Neck_IA= LN_Neck_IB= LN_Neck_II= LN_Neck_IIA= LN_Neck_IIB= LN_Neck_III= LN_Neck_IV=
LN_Neck_V= LN_Neck_VA= LN_Neck_VB= LN_Neck_VC= LN_Neck_VI= LN_Neck_VII= LN_Neck_VIIA= LN_Neck_VIIB= LN_Parasternal=
LN_Parasternals LN_Pelvic= LN_Pelvics LN_Portahepatis LN_Presacral= LN_Pulmonary= LN_Pulmonarys LN_Sclav=
LN_Trachbrnchs* Lobe_Frontal* Lobe_Occipital* Lobe_Parietal* Lobe_Temporal* Lung_LLL Lung_LUL Lung_RLL Lung_RML Lung_RUL
Malleus* Maxilla* Mediastinum Musc Musc_Constrict_I Musc_Constrict_M Musc_Constrict_S Musc_Digastric= Musc_Masseter*
Musc_Platysma= Musc_Pterygoid= Musc_Sclmast= Musc_Temporal= Nasalconcha_LI Nasalconcha_RI Nasopharynx Nose
Nrv_Peripheral Nrv_Root OpticNrv Orbit= Oropharynx Ovaries Palate_Soft PancJejuno Pancreas_Head Pancreas_Tail
Parametrium Penis Perineum Peritoneum Pharynx Pineal Pons Proc_Condyloid= Proc_Coronoid= ProstateBed Pterygoid_Lat=
Pterygoid_Med= PubicSymphys* Radius= Rectal_Wall Retinas Rib Scalp Scapula= Scrotum SeminalVes_Dist SeminalVes_Prox
Sinus_Ethmoid Sinus_Frontal* Sinus_Maxilry* Sinus_Sphenoid= Skin_Perineum Skin_Peritoneum Skull Spc_Bowel
Spc_Bowel_Small Spc_Retrophar= Spc_Retrophars Spc_Retrosty* Spc_Supraclav= Sphincter_Anal SpinalCord_Cerv SpinalCord_Lum
SpinalCord_Sac SpinalCord_Thor Spleen_Hilum Spongiosum Stapes* Sternum Strct_Suprapatel Surf_Eye= Sys_Ventricular
Tendon Tendon_Quad Testis Thoracic_Duct Tongue Tongue_All Tongue_Base* Tongue_Oral* Tonsil Trachea_NAdj TumorBed Ureter=
Ureters Urethra_Prostatc V_Azygos V_Brachioceph= V_Iliac= V_Iliac_Ext= V_Iliac_Int= V_Jugular V_Jugular_Ext=
V_Jugular_Int= V_Portal V_Pulmonary V_Subclavian= V_Subclavians V_Venacava_I V_Venacava_S Vagina Vagina_Surf VaginalCuff
Valve Valve_Mitral Valve_Pulmonic Valve_Tricuspid Ventricle* VocalCords Vulva Wall_Vagina
"""
_SIDES = ("_L", "_R")
# TotalSegmentator (Wasserthal et al., Radiol Artif Intell 2023; 5:e230024): the names of its classes, sides aside.
_SEGMENTED = {
    "adrenal_gland": "Glnd_Adrenal", "aorta": "A_Aorta", "atrial_appendage": "",
    "brachiocephalic_vein": "V_Brachioceph",
    "clavicula": "Clavicle", "common_carotid_artery": "A_Carotid", "femur": "Femur", "heart_atrium": "Atrium",
    "heart_ventricle": "Ventricle", "hip": "Bone_Pelvic", "humerus": "Humerus", "iliac_artery": "A_Iliac",
    "iliac_vena": "V_Iliac", "inferior_vena_cava": "V_Venacava_I", "kidney": "Kidney",
    "lung_lower_lobe_left": "Lung_LLL",
    "lung_lower_lobe_right": "Lung_RLL", "lung_middle_lobe_right": "Lung_RML", "lung_upper_lobe_left": "Lung_LUL",
    "lung_upper_lobe_right": "Lung_RUL", "portal_vein_and_splenic_vein": "", "pulmonary_artery": "A_Pulmonary",
    "pulmonary_vein": "V_Pulmonary", "scapula": "Scapula", "small_bowel": "Bowel_Small", "spinal_cord": "SpinalCord",
    "subclavian_artery": "A_Subclavian", "superior_vena_cava": "V_Venacava_S", "thyroid_gland": "Glnd_Thyroid",
    "urinary_bladder": "Bladder", "common_bile_duct": "BileDuct_Common", "parotid_gland": "Parotid",
    "submandibular_gland": "Glnd_Submand", "optic_nerve": "OpticNrv", "optic_chiasm": "OpticChiasm", "eye": "Eye",
    "eye_lens": "Lens", "hard_palate": "Hardpalate", "soft_palate": "Palate_Soft", "hyoid": "Bone_Hyoid",
    "costal_cartilages": "", "gluteus_maximus": "", "zygomatic_arch": "",
}  # fmt: skip


def _spelled_out() -> tuple[str, ...]:
    names: list[str] = []
    for entry in _NAMES.split():
        stem = entry.rstrip("*=")
        names += [] if entry.endswith("=") else [stem]
        names += [stem + side for side in _SIDES] if entry != stem else []
    names += [f"Rib{number:02d}{side}" for number in range(1, 14) for side in _SIDES]
    return tuple(dict.fromkeys(names))


MORE_NAMES = _spelled_out()


def segmented_as(name: str) -> str:
    """Return the TG-263 name of a class of TotalSegmentator; empty for anything else.

    >>> segmented_as("vertebrae_L1"), segmented_as("vertebrae_T4"), segmented_as("iliac_artery_left")
    ('VB_L1', 'VB_T04', 'A_Iliac_L')
    """
    plain = name.strip().casefold()
    if plain in _SEGMENTED:
        return _SEGMENTED[plain]
    stem, _, last = plain.rpartition("_")
    if stem == "vertebrae" and last[:1] in "ctls" and last[1:].isdigit():
        number = f"{int(last[1:]):02d}" if last[0] == "t" else str(int(last[1:]))
        return f"VB_{last[0].upper()}{number}"
    side = {"left": "_L", "right": "_R"}.get(last, "")
    if side and _SEGMENTED.get(stem):
        return _SEGMENTED[stem] + side
    parts = plain.split("_")  # rib_left_1
    if len(parts) == 3 and parts[0] == "rib" and parts[1] in ("left", "right") and parts[2].isdigit():
        return f"Rib{int(parts[2]):02d}_{parts[1][0].upper()}"
    return ""
