"""Doses with a formula: what a phantom's dose grid samples, and what its truth is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dvhkit.model.arrays import FloatArray
from dvhkit.model.grid import Grid
from dvhkit.phantoms.sets.phantom_set import voxel_centres_mm
from dvhkit.phantoms.solids import Vector


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearDose:
    """Dose that grows evenly along a direction; trilinear interpolation has no error in it.

    Attributes
    ----------
    at_origin_gy
        Dose at the patient origin.
    direction
        Towards more dose (LPS); made a unit vector.
    gradient_gy_per_mm
        Positive.
    """

    at_origin_gy: float
    direction: Vector
    gradient_gy_per_mm: float

    def __call__(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the dose at points, Gy."""
        n = np.asarray(self.direction) / np.linalg.norm(self.direction)
        return np.asarray(self.at_origin_gy + self.gradient_gy_per_mm * (n[0] * x + n[1] * y + n[2] * z))


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianDose:
    """A round dose, A exp(-r² / 2σ²), as Walker and Byrne used (doi 10.1016/j.meddos.2024.06.002)."""

    centre_mm: Vector
    peak_gy: float
    sigma_mm: float

    def at_radius_gy(self, radius_mm: float) -> float:
        """Return the dose at a distance from the centre."""
        return self.peak_gy * float(np.exp(-0.5 * (radius_mm / self.sigma_mm) ** 2))

    def radius_mm(self, dose_gy: float) -> float:
        """Return the distance within which the dose is at least `dose_gy`; 0 above the peak, inf at no dose."""
        if dose_gy <= 0:
            return float("inf")
        return self.sigma_mm * float(np.sqrt(2 * max(np.log(self.peak_gy / dose_gy), 0.0)))

    def __call__(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the dose at points, Gy."""
        cx, cy, cz = self.centre_mm
        r2 = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2
        return np.asarray(self.peak_gy * np.exp(-0.5 * r2 / self.sigma_mm**2))


@dataclass(frozen=True, slots=True, kw_only=True)
class RadiosurgeryDose:
    """A round dose with a steep edge: the model of Stanley et al. (doi 10.1002/mp.14645) for small spherical targets.

    Inside the target's radius R the dose is 1 - s1 exp(-s2 (R - r)), outside s3 + (1 - s1 - s3) exp(-s4 (r - R)), in
    parts of the plateau; `surface_gy` is the dose at R, 1 - s1 of the plateau.
    """

    centre_mm: Vector
    target_radius_mm: float
    surface_gy: float
    s1: float = 0.249
    s2: float = 7.019
    s3: float = 0.029
    s4: float = 1.927

    @property
    def plateau_gy(self) -> float:
        """Dose deep inside."""
        return self.surface_gy / (1 - self.s1)

    def at_radius_gy(self, radius_mm: float) -> float:
        """Return the dose at a distance from the centre."""
        return float(self._profile(np.asarray(radius_mm)))

    def radius_mm(self, dose_gy: float) -> float:
        """Return the distance within which the dose is at least `dose_gy`; 0 above the greatest, inf below the bath."""
        level = dose_gy / self.plateau_gy
        if level <= self.s3:
            return float("inf")
        if level <= 1 - self.s1:
            return self.target_radius_mm + float(np.log((1 - self.s1 - self.s3) / (level - self.s3))) / self.s4
        if level >= 1 - self.s1 * np.exp(-self.s2 * self.target_radius_mm):
            return 0.0
        return self.target_radius_mm - float(np.log(self.s1 / (1 - level))) / self.s2

    def __call__(self, x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
        """Return the dose at points, Gy."""
        cx, cy, cz = self.centre_mm
        return self._profile(np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2))

    def _profile(self, r: FloatArray) -> FloatArray:
        depth = self.target_radius_mm - r
        inside = 1 - self.s1 * np.exp(-self.s2 * np.maximum(depth, 0.0))
        outside = self.s3 + (1 - self.s1 - self.s3) * np.exp(self.s4 * np.minimum(depth, 0.0))
        return np.asarray(self.plateau_gy * np.where(depth >= 0, inside, outside))


RadialDose = GaussianDose | RadiosurgeryDose


def sampled_gy(dose: LinearDose | RadialDose, grid: Grid) -> FloatArray:
    """Return the dose at the voxel centres of a grid, Gy; `PhantomDose` takes it."""
    values = dose(*voxel_centres_mm(grid))
    return np.ascontiguousarray(np.broadcast_to(values, grid.shape_zyx))
