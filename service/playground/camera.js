// Photographs for the next question. Phones open their own camera application; other machines show a viewfinder.

import { $, openDialog, show } from "./dom.js";

let isAsking = false; // whether the browser is asking the visitor for the camera

const hasOwnCamera = () => matchMedia("(pointer: coarse)").matches;

// Adds the button where there is a camera to use. `onShoot` gets each photograph as a file.
export function addCamera(onShoot, showProblem) {
  // Outside of a secure context, browsers give pages no camera.
  if (!hasOwnCamera() && !navigator.mediaDevices) return;
  show($("camera"), true);
  $("camera").addEventListener("click", () => (hasOwnCamera() ? $("capture").click() : openViewfinder(showProblem)));
  $("capture").addEventListener("change", () => {
    onShoot([...$("capture").files]);
    $("capture").value = "";
  });
  $("shoot").addEventListener("click", async () => {
    onShoot([await shoot($("viewfinder"))]);
    $("camera-dialog").close();
  });
}

async function openViewfinder(showProblem) {
  const viewfinder = $("viewfinder");
  if (isAsking) return; // a second stream would replace this one, and nothing would stop it
  isAsking = true;
  try {
    viewfinder.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    showProblem("No camera can be used: there is none, or the browser does not allow it.");
    return;
  } finally {
    isAsking = false;
  }
  $("shoot").disabled = true; // until there is a picture to take
  viewfinder.addEventListener("playing", () => ($("shoot").disabled = false), { once: true });
  $("camera-dialog").addEventListener("close", stopCamera, { once: true });
  openDialog($("camera-dialog"));
}

function stopCamera() {
  for (const track of $("viewfinder").srcObject.getTracks()) track.stop();
  $("viewfinder").srcObject = null;
}

async function shoot(viewfinder) {
  const canvas = document.createElement("canvas");
  canvas.width = viewfinder.videoWidth;
  canvas.height = viewfinder.videoHeight;
  canvas.getContext("2d").drawImage(viewfinder, 0, 0);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  return new File([blob], "photograph.jpg", { type: blob.type });
}
