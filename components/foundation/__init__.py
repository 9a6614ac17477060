"""Resources that all subsystems share: alerts, audit bucket, network, backup, budget, Lambda layer."""

from components.foundation.foundation import Foundation

__all__ = ["Foundation"]
